"""What runs against one whole service, begun once for all of them."""
