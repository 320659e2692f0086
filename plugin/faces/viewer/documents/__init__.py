"""Documents on the clinician's pages: a document's own text, and its files page by page. Nothing is downloaded."""
