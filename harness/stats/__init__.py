"""Statistics: pure functions of numbers; nothing here touches the world."""
