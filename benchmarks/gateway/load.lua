-- The client side of benchmarks/gateway, run by wrk.
--   KIND  hit: ten bodies again and again, temperature 0.  pass: every prompt is new, sampled.
--   STREAM  1 asks for server-sent events.   SEED  makes the prompts of this run its own.

local kind, seed = os.getenv("KIND") or "hit", os.getenv("SEED") or "0"
local stream = os.getenv("STREAM") == "1" and '"stream":true,' or ""
local model, key = os.getenv("MODEL") or "gpt-4o-mini", os.getenv("KEY") or "sk-bench"
local headers = {
  ["Content-Type"] = "application/json",
  ["Authorization"] = "Bearer " .. key,
}
local pad = string.rep("My printer shows an amber light and will not print. ", 7)
local head = '{"model":"' .. model .. '",' .. stream .. '"messages":[{"role":"system","content":'
  .. '"You are a patient support agent."},{"role":"user","content":"Case ' .. seed .. "-"
local tails = {
  hit = ": " .. pad .. '"}],"temperature":0,"max_tokens":200}',
  pass = ": " .. pad .. '"}],"max_tokens":200}',
}
local path, ready, n = "/v1/chat/completions", {}, 0

init = function()
  for i = 1, 10 do
    ready[i] = wrk.format("POST", path, headers, head .. i .. tails.hit)
  end
end

request = function()
  n = n + 1
  if kind == "hit" then
    return ready[n % 10 + 1]
  end
  return wrk.format("POST", path, headers, head .. n .. tails.pass)
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT requests=%d duration_us=%d p50_us=%d p99_us=%d errors=%d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
