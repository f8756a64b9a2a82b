"""What keeps a service from answering well, seen from a client: `seq2serve doctor`."""
