variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "images_kept" {
  description = "Images that are kept, the newest; older ones cannot be rolled back to."
  type        = number
  default     = 20

  validation {
    condition     = var.images_kept >= 2
    error_message = "images_kept is 2 at least: a rollback needs the image before."
  }
}

variable "force_delete" {
  description = "Whether terraform destroy deletes the repository with its images."
  type        = bool
  nullable    = false
}
