"""What similar answers cost, and how often they are right."""
