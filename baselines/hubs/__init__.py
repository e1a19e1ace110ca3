"""Models from where they live: Hugging Face's hub and OpenCLIP, or folders and files of theirs."""
