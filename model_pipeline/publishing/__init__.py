"""What a published run looks like on a model hub: its repositories, their cards, and the way there."""
