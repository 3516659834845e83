"""Leeds Sports Pose Extended Training."""
