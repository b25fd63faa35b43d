"""Makes the Okta page: what it shows, read from OpenSearch, and the HTML that shows it."""
