"""`waybill doctor`: what a process needs, checked; one module for each thing it depends on."""
