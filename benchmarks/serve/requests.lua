-- wrk: the requests of a file (method, path, body, separated by tabs), one after the other; {turn} becomes a number
-- that never comes twice. What came of it is printed as one line of JSON.
local lines, turn = {}, tonumber(os.getenv("BENCH_TURN") or "0")
local at = 0

function init()
  for line in io.lines(os.getenv("BENCH_REQUESTS")) do
    local method, path, body = line:match("^(.-)\t(.-)\t(.*)$")
    local headers = {["Host"] = wrk.headers["Host"]}
    if body == "" then body = nil else headers["Content-Type"] = "application/json" end
    local fixed = not path:find("{turn}", 1, true)
    lines[#lines + 1] = {fixed and wrk.format(method, path, headers, body), method, path, headers, body}
  end
end

function request()
  at = at % #lines + 1
  local line = lines[at]
  if line[1] then return line[1] end
  turn = turn + 1
  return wrk.format(line[2], (line[3]:gsub("{turn}", turn)), line[4], line[5])
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nBENCH {"requests": %d, "microseconds": %d, "p50": %.1f, "p99": %.1f, "worst": %.1f, "refused": %d, "errors": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.status, e.connect + e.read + e.write + e.timeout))
end
