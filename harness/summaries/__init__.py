"""What runs at a camera's pace, soaks and cascades come to, in the figures and rows that every report shows. Pure."""
