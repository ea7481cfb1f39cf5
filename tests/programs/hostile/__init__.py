"""One service, limited as its pod is, under the attacks of a hostile network, upstream, log reader and store."""
