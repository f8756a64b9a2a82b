"""What keeps a server from serving well on this machine: python -m service doctor."""
