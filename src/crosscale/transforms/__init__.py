"""From a clip to what an encoder sees: root, length, facing; joint, bone, motion; scales."""
