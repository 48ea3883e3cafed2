"""Floor 3: the road of an alert, one verb a file. Knows the domain and the ports, nothing of SQL, HTTP or providers."""
