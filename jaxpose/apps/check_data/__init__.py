"""`python -m jaxpose check-data FILE`: what is wrong in a file of COCO's format."""
