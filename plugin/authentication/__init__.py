"""From a credential to a verified Identity, or why not. Whether that identity may see anything is decided elsewhere."""
