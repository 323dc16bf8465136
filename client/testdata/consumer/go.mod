module example.com/consumer

go 1.26.0

require github.com/sharelinks-dev/sharelinks v0.0.0

replace github.com/sharelinks-dev/sharelinks => ../../..
