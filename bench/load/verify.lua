-- wrk's side of a load run: one request over and over, each reply checked. All it needs comes by the environment.
wrk.method = "POST"
wrk.body = os.getenv("LOAD_BODY")
for name, value in os.getenv("LOAD_HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do
  wrk.headers[name] = value
end

local expected = os.getenv("LOAD_EXPECTED")
local threads = {}
wrong = 0

function setup(thread)
  table.insert(threads, thread)
end

function response(status, headers, body)
  if status ~= 200 or not body:find(expected, 1, true) then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  -- wrk counts a status above 399 as an error of its own; those are among the wrong ones.
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("wrong")
  end
  print(string.format(
    'RESULT {"requests":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"errors":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed
  ))
end
