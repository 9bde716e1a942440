"""The pages of editors in a browser, against one whole service, begun once for all of them."""
