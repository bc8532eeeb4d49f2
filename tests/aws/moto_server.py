"""moto's server, with the field that classic load balancers lack there: the hosted zone that an ALIAS needs."""

import sys

import moto.elb.models
from moto.server import main

moto.elb.models.LoadBalancer.canonical_hosted_zone_name_id = "Z32O12XQLNTSW2"

sys.exit(main())
