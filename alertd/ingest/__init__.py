"""Floor 4: feeds and sensors, from what they send to drafts and alerts."""
