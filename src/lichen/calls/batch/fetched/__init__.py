"""Results of batches that clients make at the provider themselves, metered as they are fetched.

paths, watch, step   which requests fetch results, and how they are seen as they pass
readdress            where clients are told to fetch them
lines, values        a file of lines, and a JSON document, taken apart one piece at a time
reading, said, uses  what each line says it used, held until all have passed
once, booking        booked once, whoever fetches them how often
"""
