-- Refuses JSON that the transcoder behind this filter would quietly change: fields that a message does not have, which
-- it drops; names given twice, of which it takes the last; single quotes, stray commas and other almost-JSON; values in
-- the query of the URL; and bodies that do not call themselves JSON, which a browser sends across sites unasked.
-- `make descriptors` puts the tables METHODS and TYPES before it. A field is {number, type of its message, "list" or
-- "map"}.

-- As the transcoder answers for the service: HTTP status and number of the gRPC code.
local STATUS = {CALLER_NOT_PERMITTED = {"403", 7}, METHOD_UNKNOWN = {"501", 12}, REQUEST_INVALID = {"400", 3},
  REQUEST_MALFORMED = {"400", 3}}

local function refuse(reason, path, description)
  error({reason = reason, path = path, description = description}, 0)
end

local Reader = {}
Reader.__index = Reader

function Reader:space()
  self.at = self.text:find("[^ \t\r\n]", self.at) or #self.text + 1
  return self.text:sub(self.at, self.at)
end

function Reader:expect(character)
  if self:space() ~= character then
    refuse("REQUEST_MALFORMED", "", "not JSON")
  end
  self.at = self.at + 1
end

function Reader:string()
  self:expect('"')
  local start = self.at
  while true do
    local found = self.text:find('["\\%z\1-\31]', self.at)
    local character = found and self.text:sub(found, found)
    if character == '"' then
      self.at = found + 1
      return self.text:sub(start, found - 1)
    elseif character == "\\" and self.text:find('^["\\/bfnrt]', found + 1) then
      self.at = found + 2
    elseif character == "\\" and self.text:find("^u%x%x%x%x", found + 1) then
      self.at = found + 6
    else
      refuse("REQUEST_MALFORMED", "", "not JSON")
    end
  end
end

function Reader:scalar()
  if self:space() == '"' then
    return self:string()
  end
  for _, pattern in ipairs({"^true", "^false", "^null", "^-?0[^%d]", "^-?[1-9]%d*"}) do
    local first, last = self.text:find(pattern, self.at)
    if first then
      local number = self.text:match("^-?%d+", self.at)
      last = number and self.at + #number - 1 or last
      -- No field of a request is a float; the transcoder would round.
      if number and self.text:find("^[.eE]", last + 1) then
        refuse("REQUEST_INVALID", "", "has a number with a fraction or an exponent")
      end
      self.at = last + 1
      return
    end
  end
  refuse("REQUEST_MALFORMED", "", "not JSON")
end

-- Calls `member` at each member of an object, or element of an array.
function Reader:each(open, close, member)
  self:expect(open)
  if self:space() == close then
    self.at = self.at + 1
    return
  end
  while true do
    member()
    if self:space() == close then
      self.at = self.at + 1
      return
    end
    self:expect(",")
  end
end

local function joined(path, name)
  return path == "" and name or path .. "." .. name
end

-- No type holds itself, so the types bound the depth.
function Reader:value(of, many, path)
  local character = self:space()
  if many == "list" and character == "[" then
    self:each("[", "]", function() self:element(of, path) end)
  elseif many == "map" and character == "{" then
    self:members(path, function() return {nil, of, "element"} end)
  elseif many == "element" then
    self:element(of, path)
  elseif of and not many and character == "{" then
    self:members(path, function(name) return TYPES[of][name] end)
  elseif character == "{" or character == "[" or many and character ~= "n" then
    refuse("REQUEST_INVALID", path, "is not of the field's type")
  else
    self:scalar()
  end
end

-- Of a list or map. The transcoder would leave out a null.
function Reader:element(of, path)
  if self:space() == "n" then
    refuse("REQUEST_INVALID", path, "has a null in a list or map")
  end
  self:value(of, nil, path)
end

function Reader:members(path, field_of)
  local seen = {}
  self:each("{", "}", function()
    local name = self:string()
    local field = field_of(name)
    -- Names are not repeated to anybody: a caller that mixes up name and value would find a card number in a log.
    if not field then
      refuse("REQUEST_INVALID", path, "has a field that its type does not have")
    end
    local place = field[1] or name
    if seen[place] then
      refuse("REQUEST_INVALID", path, "has a field twice")
    end
    seen[place] = true
    self:expect(":")
    self:value(field[2], field[3], field[1] and joined(path, name) or path)
  end)
end

local function check(text, of)
  local reader = setmetatable({text = text, at = 1}, Reader)
  if reader:space() ~= "{" then
    refuse("REQUEST_MALFORMED", "", "not a JSON object")
  end
  reader:value(of, nil, "")
  if reader:space() ~= "" then
    refuse("REQUEST_MALFORMED", "", "more than one JSON value")
  end
end

-- The answer that the service gives to a request which it cannot read; nothing of the call has gone further.
local function answer(handle, told)
  local place = told.path == "" and "" or string.format('"field":"%s",', told.path)
  local body = string.format(
    '{"code":%d,"message":"The gateway refused the request; the details name the reason.","details":['
      .. '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%s","domain":"payorch"},'
      .. '{"@type":"type.googleapis.com/payorch.v1.CallOutcome",'
      .. '"outcome":"OUTCOME_NOT_SENT","advice":"ADVICE_FIX_REQUEST"},'
      .. '{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{%s"description":"%s"}]}]}',
    STATUS[told.reason][2], told.reason, place, told.description)
  handle:respond({
    [":status"] = STATUS[told.reason][1],
    ["content-type"] = "application/json",
    ["payorch-outcome"] = "NOT_SENT",
    ["payorch-advice"] = "FIX_REQUEST",
  }, body)
end

-- In lower case alone, as the transcoder compares: what it takes for JSON is checked as JSON. The filter before this one
-- has already made application/grpc of gRPC-Web's types.
local function is_grpc(kind)
  return kind == "application/grpc" or kind:find("^application/grpc%+") ~= nil
end

local function is_json(kind)
  return kind == "application/json" or kind:find("^application/json *;") ~= nil
end

-- Notes the kind under which a request is forwarded, where no caller can write it.
local function pass(handle, kind)
  handle:streamInfo():dynamicMetadata():set("payorch.gateway", "passed", kind)
end

-- Envoy writes names of certificates into x-forwarded-client-cert as they are: with these characters in it, a name would
-- read there as further names.
local function has_ambiguous_name(handle)
  local connection = handle:streamInfo():downstreamSslConnection()
  if not connection then
    return false
  end
  for _, names in ipairs({connection:uriSanPeerCertificate(), connection:dnsSansPeerCertificate()}) do
    for _, name in ipairs(names) do
      if name:find('[;,"\\]') then
        return true
      end
    end
  end
  return false
end

function envoy_on_request(handle)
  if has_ambiguous_name(handle) then
    local description = "a name in the certificate holds a separator"
    return answer(handle, {reason = "CALLER_NOT_PERMITTED", path = "", description = description})
  end
  local headers = handle:headers()
  local kind = headers:get("content-type") or ""
  if is_grpc(kind) then
    return pass(handle, "grpc")
  end
  local done, told = pcall(function()
    local of = METHODS[headers:get(":path")]
    if headers:get(":method") ~= "POST" or not of then
      refuse("METHOD_UNKNOWN", "", "POST to the path of a method, without a query")
    elseif not is_json(kind:lower()) then
      refuse("REQUEST_MALFORMED", "", "content-type must be application/json")
    end
    return of
  end)
  if not done then
    return answer(handle, told)
  end
  -- Outside of pcall: reading the body waits for it.
  local body = handle:body(true)
  local text = body:length() > 0 and body:getBytes(0, body:length()) or ""
  local right, wrong = pcall(check, text, told)
  if not right then
    local unforeseen = {reason = "REQUEST_MALFORMED", path = "", description = "not JSON"}
    return answer(handle, type(wrong) == "table" and wrong or unforeseen)
  end
  pass(handle, "json")
end
