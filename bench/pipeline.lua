-- wrk script: sends as many requests at once as its argument says.
function init(args)
  local depth = tonumber(args[1])
  local requests = {}
  for index = 1, depth do
    requests[index] = wrk.format()
  end
  batch = table.concat(requests)
end

function request()
  return batch
end
