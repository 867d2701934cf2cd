"""What exists behind the sandbox: organisations, facilities, records, and how they change. No HTTP, no misbehaviour."""
