# Prints the SHA-256 and the name of files in the folder $1; each name on standard input and each
# line of the answer has a NUL at its end.
cd -- "$1" && xargs -0 sha256sum -z --
