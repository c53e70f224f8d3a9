"""HTTP and the task-centre page. It asks for exports and never runs one."""
