"""What `generate.py` is made of: the invented people, and one module for each kind of content."""
