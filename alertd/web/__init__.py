"""Floor 4: HTTP. The API for machines and officers, the public pages for citizens."""
