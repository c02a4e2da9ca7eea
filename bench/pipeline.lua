-- wrk script: sends as many requests at once as its first argument says. What else may come: the
-- method, the body (empty: none), and in any order paths, which are taken in turn, and header
-- fields.
function init(args)
  local depth = tonumber(args[1])
  local method = args[2] or "GET"
  local body = args[3] ~= "" and args[3] or nil
  local paths = {}
  for index = 4, #args do
    if args[index]:sub(1, 1) == "/" then
      paths[#paths + 1] = args[index]
    else
      local name, value = args[index]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
    end
  end
  if #paths == 0 then
    paths[1] = wrk.path
  end
  batches = {}
  for first = 1, #paths do
    local requests = {}
    for index = 0, depth - 1 do
      local path = paths[(first + index - 1) % #paths + 1]
      requests[index + 1] = wrk.format(method, path, wrk.headers, body)
    end
    batches[first] = table.concat(requests)
  end
  turn = 0
end

function request()
  turn = turn % #batches + 1
  return batches[turn]
end
