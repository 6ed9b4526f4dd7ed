"""From pictures and videos to skeletons."""
