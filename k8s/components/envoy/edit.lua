-- Applies Tollgate's byte edits. It stands right behind ext_authz, whose answer carries two headers:
--   x-tollgate-edit       offset,length,text;…  ascending, not overlapping; text is anything but ;
--   x-tollgate-edit-size  the size in bytes of the body that the offsets are for
-- A body that cannot be edited exactly as decided is never sent: an error here would let the request through unedited,
-- so all work runs under pcall, and a failure answers 503.

local function edit(handle)
  -- Fetched once and used before body(): header objects go out of scope behind it.
  local headers = handle:headers()
  local edits, size = headers:get("x-tollgate-edit"), headers:get("x-tollgate-edit-size")
  headers:remove("x-tollgate-edit")
  headers:remove("x-tollgate-edit-size")
  if edits == nil and size == nil then return end

  local body = handle:body()
  local length = body:length()
  assert(string.match(size, "^%d+$") and tonumber(size) == length, "the body is not the one decided on")
  local bytes, parts, from, at = body:getBytes(0, length), {}, 0, 1
  repeat
    local first, last, offset, count, text = string.find(edits, "^(%d+),(%d+),([^;]*);", at)
    assert(first, "malformed edit")
    offset, count = tonumber(offset), tonumber(count)
    assert(offset >= from and offset + count <= length, "edit out of order or out of bounds")
    parts[#parts + 1] = string.sub(bytes, from + 1, offset)
    parts[#parts + 1] = text
    from, at = offset + count, last + 1
  until at > #edits
  parts[#parts + 1] = string.sub(bytes, from + 1)

  local edited = body:setBytes(table.concat(parts))
  handle:headers():replace("content-length", edited)
end

function envoy_on_request(handle)
  local ok, fault = pcall(edit, handle)
  if ok then return end
  handle:logErr("tollgate edit: " .. tostring(fault))
  handle:respond(
    { [":status"] = "503", ["content-type"] = "application/json" },
    '{"error":{"message":"the request could not be prepared for the provider","type":"server_error","param":null,"code":"edit_failed"}}'
  )
end
