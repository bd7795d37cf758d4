"""Questions to trained models: answers, and whether they are true."""
