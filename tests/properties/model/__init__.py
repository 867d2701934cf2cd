"""An independent model of what the warehouse must remember: plain Python over what the sandbox's world was, no product code."""
