"""Citizens: who they are, how they come, how they leave, and the links that prove it was they."""
