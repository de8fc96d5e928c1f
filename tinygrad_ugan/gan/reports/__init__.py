"""Pictures of runs, and the page that shows them side by side."""
