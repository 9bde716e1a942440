"""One listener, one stream: signed URLs, and which device may use them."""
