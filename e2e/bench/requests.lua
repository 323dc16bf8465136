-- Sends requests for the paths in a file, one after the other and then again from the first. All of them are made before
-- the first is sent: wrk shares the machine with what it measures.
local requests, next = {}, 0

function init(args)
   local file, method, key, body = args[1], args[2], args[3], args[4]
   wrk.method = method
   wrk.headers["Authorization"] = "Bearer " .. key
   if body ~= "" then
      wrk.body = body
      wrk.headers["Content-Type"] = "application/json"
   end
   for path in io.lines(file) do
      requests[#requests + 1] = wrk.format(nil, path)
   end
end

function request()
   next = next % #requests + 1
   return requests[next]
end
