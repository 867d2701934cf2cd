"""What a real installation starts from: files for containers, for systemd and for Kubernetes, written once and then the operator's own.

`templates/` has one file for each that is written; the settings in `.env` come from their declarations. Running any of it belongs
to other programs, and what a sync does belongs to other rooms.
"""
