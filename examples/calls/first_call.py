"""Two identical calls through lichen, and what each used.

Start the gateway in another terminal (`lichen serve`), then run this file. Any code that uses the
OpenAI client works as it is: the base URL is all that changes.
"""

from __future__ import annotations

import os

from openai import OpenAI


def main() -> None:
    base_url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8420/v1")
    client = OpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    for turn in ("first", "second"):
        answer = client.chat.completions.with_raw_response.create(
            model="SmolLM2-135M-Instruct",
            messages=[{"role": "user", "content": "Name one thing a lichen lives on."}],
            temperature=0,
            max_tokens=32,
        )
        headers = answer.headers
        print(f"{turn}: {headers['x-lichen-cache']}, used {headers['x-lichen-energy-wh']} Wh")
        print(f"  avoided {headers.get('x-lichen-avoided-energy-wh', 'nothing')}")
        print(f"  {answer.parse().choices[0].message.content}")


if __name__ == "__main__":
    main()
