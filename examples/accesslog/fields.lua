-- A line of an access log (common or combined format) as a table; what is none is an error, and so a dead letter.
local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }
local line = '^(%S+) %S+ %S+ %[(%d%d)/(%a%a%a)/(%d%d%d%d):(%d%d:%d%d:%d%d) ([+-]%d%d)(%d%d)%] "(%u+) (%S+)[^"]*" (%d%d%d) (%S+)'

function process(text)
	local ip, day, month, year, clock, hours, minutes, method, path, status, bytes = text:match(line)

	if not ip or not months[month] or not (bytes == "-" or bytes:match("^%d+$")) then
		error("it is no line of an access log", 0)
	end
	return {
		ip = ip,
		at = string.format("%s-%02d-%sT%s%s:%s", year, months[month], day, clock, hours, minutes),
		method = method,
		path = path:match("^[^?]*"),
		status = math.tointeger(tonumber(status)),
		error = status >= "500" and 1 or 0,
		bytes = bytes == "-" and 0 or math.tointeger(tonumber(bytes)),
	}
end
