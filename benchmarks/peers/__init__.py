"""What our server is measured against: other ways of serving the same graphs, behind one interface."""
