"""COCO's keypoints, and any file of COCO's format."""
