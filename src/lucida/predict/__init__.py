"""Ask any model anything about any image: files, folders, archives, videos."""
