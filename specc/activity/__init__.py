"""When operations are present and choices matter: conditions on choices, simplified."""
