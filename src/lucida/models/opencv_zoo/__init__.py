"""Faces and number plates: small models of OpenCV's zoo, run here without OpenCV. None of their weights ship."""
