"""What every face that shows pages shares: the base template, its style, the two languages, and a page's headers."""
