"""The price list: what the tables know, in AWS's form."""
