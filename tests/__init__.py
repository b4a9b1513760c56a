"""Three rings of tests: the twin, the laws, the world."""
