-- Replays the prepared requests of a file, round and round, and prints what came of them as one line of JSON.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for each in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = each end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"errors":%d,"refused":%d,"bytes":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, broken, summary.errors.status, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
