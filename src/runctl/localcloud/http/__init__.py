"""HTTP/1.1 on loopback: messages, and a server with a thread for each connection."""
